$(call module,tests/pgserver,tests/lib common/base,-lpq)
