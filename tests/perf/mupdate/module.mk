# The load generator of tests/perf/mupdate: MUPDATE by hand, the reader of front ends, and
# bare LMDB as the floor.
$(call module,tests/perf/mupdate,tests/perf/load common/location,-llmdb)
$(call program,roost-mupload,tests/perf/mupdate,tests/perf/mupdate tests/perf/load common/location)
