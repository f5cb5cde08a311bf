# Roost. Targets: all, demo, demo-stop, test, check, deps, test-deps, man, install, interop,
# perf, format, lint, clean.
# Variants: SAN=address (with undefined), SAN=thread, COV=1, FUZZ=1, CC=clang; each has its own
# folder below build/. Each folder with code has a short module.mk.

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
VARIANT := $(notdir $(CC))$(if $(SAN),-$(SAN))$(if $(COV),-cov)$(if $(FUZZ),-fuzz)
B := build/$(VARIANT)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wformat=2 -Wundef -Wvla -Wno-missing-field-initializers -Wno-unused-parameter -Wno-format-nonliteral
WERROR ?= -Werror
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -pthread -fno-strict-aliasing -fstack-protector-strong \
	$(WARN) $(WERROR) $(CFLAGS)
ALL_LDFLAGS := -pthread -Wl,-z,relro,-z,now $(LDFLAGS)
ifeq ($(SAN),address)
ALL_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ALL_LDFLAGS += -fsanitize=address,undefined
else ifneq ($(SAN),)
ALL_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer
ALL_LDFLAGS += -fsanitize=$(SAN)
endif
ifneq ($(FUZZ),)
ALL_CFLAGS += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
ALL_LDFLAGS += -fsanitize=address,undefined
endif
ifneq ($(COV),)
ALL_CFLAGS += --coverage
ALL_LDFLAGS += --coverage
endif

.DEFAULT_GOAL := all
.SECONDEXPANSION:
MODULES :=
PROGRAMS :=
UNIT_TESTS :=
SCENARIO_TESTS :=
CRASH_TESTS :=
FUZZERS :=

# ---- how a folder becomes a library -------------------------------------------------
# $(call module,FOLDER,MODULES IT USES,-l FLAGS): every .c but main.c of the folder.
lib = $(B)/lib/$(subst /,-,$(1)).a
top = $(firstword $(subst /, ,$(1)))
includes = -Icommon $(if $(filter-out common,$(call top,$(1))),-I$(call top,$(1)))
define module_rules
MODULES += $(1)
DEPS_$(1) := $(2)
LIBS_$(1) := $(3)
SRCS_$(1) := $(filter-out %/main.c,$(wildcard $(1)/*.c)) $(MORE_$(1))
$(call lib,$(1)): $$(patsubst %.c,$(B)/obj/%.o,$$(SRCS_$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
$(B)/obj/$(1)/%.o: INCLUDES := $(call includes,$(1))
endef
module = $(eval $(call module_rules,$(strip $(1)),$(2),$(3)))

# Everything a module stands on, itself included, each once.
closure1 = $(1) $(foreach d,$(DEPS_$(1)),$(call closure1,$(d)))
closure = $(call uniq,$(foreach m,$(1),$(call closure1,$(m))))
uniq = $(if $(1),$(firstword $(1)) $(call uniq,$(filter-out $(firstword $(1)),$(1))))
# $(call link_libs,MODULES): archives in one group, then the libraries outside.
archives = $(foreach m,$(1),$(call lib,$(m)))
link_libs = -Wl,--start-group $(call archives,$(1)) -Wl,--end-group \
	$(call uniq,$(foreach m,$(1),$(LIBS_$(m))))

# $(call program,NAME,FOLDER WITH main.c,MODULES)
define program_rules
PROGRAMS += $(B)/bin/$(1)
$(B)/obj/$(2)/main.o: INCLUDES := $(call includes,$(2))
$(B)/bin/$(1): $(B)/obj/$(2)/main.o $$$$(call archives,$$$$(call closure,$(3)))
	@mkdir -p $$(@D)
	@echo "  LD   $$@"
	@$(CC) -o $$@ $$< $$(call link_libs,$$(call closure,$(3))) $(ALL_LDFLAGS)
endef
program = $(eval $(call program_rules,$(strip $(1)),$(strip $(2)),$(3)))

# $(call tests,KIND,FOLDER OF test_*.c,MODULES,MODULES REPLACED,BY): each file is a
# program of its own, linked with the closure of MODULES and tests/lib.
test_closure = $(patsubst $(2),$(3),$(call closure,$(1)))
define test_rules
$(1)_TESTS += $(patsubst %.c,$(B)/%,$(wildcard $(2)/test_*.c))
$(B)/obj/$(2)/%.o: INCLUDES := -Itests -Icommon $(6)
$(patsubst %.c,$(B)/%,$(wildcard $(2)/test_*.c)): $(B)/%: $(B)/obj/%.o \
		$(patsubst %.c,$(B)/obj/%.o,$(filter-out $(wildcard $(2)/test_*.c),$(wildcard $(2)/*.c))) \
		$$$$(call archives,tests/lib $$$$(call test_closure,$(3),$(4),$(5)))
	@mkdir -p $$(@D)
	@$(CC) -o $$@ $$(filter %.o,$$^) \
		$$(call link_libs,tests/lib $$(call test_closure,$(3),$(4),$(5))) \
		-lcmocka $(ALL_LDFLAGS)
endef
# unit tests mirror the tree: $(call unit,FOLDER[,MORE MODULES])
unit = $(eval $(call test_rules,UNIT,tests/unit/$(strip $(1)),$(strip $(1)) $(2),,,$(call includes,$(1))))
# $(call unit_fake,FOLDER,MORE MODULES): the same on the fake network
unit_fake = $(eval $(call test_rules,UNIT,tests/unit/$(strip $(1)),$(strip $(1)) $(2),common/net,tests/fakenet,$(call includes,$(1))))
# scenarios on the fake network: $(call scenario,FOLDER,MODULES,-I FLAGS)
scenario = $(eval $(call test_rules,SCENARIO,$(strip $(1)),$(2),common/net,tests/fakenet,$(3)))
crash = $(eval $(call test_rules,CRASH,$(strip $(1)),$(2),common/net,tests/fakenet,$(3)))

# fuzz targets fuzz_*.c, built with FUZZ=1 and clang: $(call fuzz,FOLDER,MODULES,-I FLAGS)
define fuzz_rules
FUZZERS += $(patsubst %.c,$(B)/%,$(wildcard $(1)/fuzz_*.c))
$(B)/obj/$(1)/%.o: INCLUDES := -Itests -Icommon $(3)
$(patsubst %.c,$(B)/%,$(wildcard $(1)/fuzz_*.c)): $(B)/%: $(B)/obj/%.o $(B)/obj/$(1)/fuzz.o \
		$$$$(call archives,$$$$(call closure,$(2)))
	@mkdir -p $$(@D)
	@$(CC) -o $$@ $$(filter %.o,$$^) $$(call link_libs,$$(call closure,$(2))) \
		$(ALL_LDFLAGS) -fsanitize=fuzzer
endef
fuzz = $(eval $(call fuzz_rules,$(strip $(1)),$(2),$(3)))

MODULE_FILES := $(sort $(shell find common mupdate frontend-smtp frontend-imap backend-store \
	tests -name module.mk 2>/dev/null))
include $(MODULE_FILES)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(ALL_CFLAGS) $(INCLUDES) -MMD -MP -c -o $@ $<
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

.PHONY: all libs fuzzers fuzz-smoke units scenarios crashes check deps test-deps lint format format-check clean \
	test demo demo-stop interop perf man install T
all: $$(PROGRAMS)
libs: $$(foreach m,$$(MODULES),$$(call lib,$$(m)))

# ---- tests --------------------------------------------------------------------------
# T=common/mail limits units, scenarios and crashes to paths that contain it.
pick = $(if $(T),$(foreach t,$(1),$(if $(findstring $(T),$(t)),$(t))),$(1))
units: $$(call pick,$$(UNIT_TESTS))
	@tests/run-tests $^
scenarios: $$(call pick,$$(SCENARIO_TESTS))
	@tests/run-tests $^
crashes: $$(call pick,$$(CRASH_TESTS))
	@tests/run-tests $^
# Units, scenarios and crash tests: under a minute.
check: $$(call pick,$$(UNIT_TESTS) $$(SCENARIO_TESTS) $$(CRASH_TESTS))
	@tests/run-tests $^

lint:
	@tests/lint/run

fuzzers: $$(FUZZERS)
# From saved corpora, the same way each time; tests/fuzz/run SECONDS [TARGET...] for new ways.
fuzz-smoke:
	@tests/fuzz/run

# as parallel as the machine, unless somebody said how much
jobs = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
test: test-deps
	@$(MAKE) --no-print-directory $(jobs) all
	@tests/run-all

deps:
	@deploy/install-packages
test-deps:
	@deploy/install-packages demo tests

demo:
	@deploy/install-packages demo
	@$(MAKE) --no-print-directory $(jobs) all
	@deploy/demo/demo start

demo-stop:
	@deploy/demo/demo stop

# Mail programs of others against a cluster, and first figures. Not part of `make test`.
interop: all
	@tests/interop/clients/run
	@tests/interop/webmail/run $(B)/bin
	@tests/interop/mupdate/run $(B)/bin
	@tests/interop/cyrus/run $(B)/bin
	@tests/interop/dovecot/run $(B)/bin
perf: all
	@tests/perf/run
	@tests/perf/mupdate/run $(B)/bin

# ---- manual pages and the settings reference, printed by the programs ----------------
DAEMONS := roost-mupdate roost-store roost-imap roost-smtp
man: all
	@mkdir -p build/man
	@for p in $(DAEMONS) roostctl; do $(B)/bin/$$p --man >build/man/$$p.8 || exit 1; done
	@for p in roostctl $(DAEMONS); do $(B)/bin/$$p --man-settings || exit 1; done \
		>build/man/roost.conf.5
	@echo "  MAN  build/man"

# ---- install ------------------------------------------------------------------------
PREFIX ?= /usr/local
UNITS ?= $(if $(filter /usr,$(PREFIX)),/usr/lib,/etc)/systemd/system
install: all man
	install -d $(addprefix $(DESTDIR),$(PREFIX)/sbin $(PREFIX)/bin $(UNITS) \
		$(PREFIX)/share/man/man5 $(PREFIX)/share/man/man8 \
		/usr/lib/sysusers.d /usr/lib/tmpfiles.d $(PREFIX)/share/doc/roost/examples)
	install $(addprefix $(B)/bin/,$(DAEMONS)) $(DESTDIR)$(PREFIX)/sbin
	install $(B)/bin/roostctl $(DESTDIR)$(PREFIX)/bin
	install deploy/roost-control $(DESTDIR)$(PREFIX)/sbin
	install -m 644 build/man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 build/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	for u in deploy/systemd/*.service; do \
		sed 's,/usr/local/,$(PREFIX)/,g' $$u >"$(DESTDIR)$(UNITS)/$${u##*/}"; done
	install -m 644 deploy/systemd/roost.sysusers $(DESTDIR)/usr/lib/sysusers.d/roost.conf
	install -m 644 deploy/systemd/roost.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/roost.conf
	install -m 644 README.md ARCHITECTURE.md $(DESTDIR)$(PREFIX)/share/doc/roost
	install -m 644 deploy/examples/* $(DESTDIR)$(PREFIX)/share/doc/roost/examples

SOURCES = $(shell git ls-files '*.c' '*.h')
format:
	@clang-format -i $(SOURCES)
format-check:
	@clang-format --dry-run --Werror $(SOURCES)

clean:
	rm -rf build
