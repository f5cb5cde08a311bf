$(call module,common/guard,common/limit common/redis common/directory common/conf common/link common/net common/tls common/metrics common/log common/base,)
$(call unit_fake,common/guard,tests/fakeauth)
