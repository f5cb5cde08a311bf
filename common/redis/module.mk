$(call module,common/redis,common/net common/tls common/log common/base,-lhiredis)
$(call unit_fake,common/redis,tests/fakenet)
