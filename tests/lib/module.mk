$(call module,tests/lib,common/base,)
