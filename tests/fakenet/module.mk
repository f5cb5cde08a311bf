$(call module,tests/fakenet,common/base common/log,)
