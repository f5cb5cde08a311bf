# The load generator of tests/perf: no library but libc, so that it stands for any client.
$(call module,tests/perf/load,common/base,)
$(call program,roost-load,tests/perf/load,tests/perf/load common/base)
