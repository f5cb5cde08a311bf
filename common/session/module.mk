$(call module,common/session,common/proto common/directory common/conf common/json common/link common/net common/tls common/mail common/metrics common/log common/base,)
$(call unit_fake,common/session,tests/fakeauth)
