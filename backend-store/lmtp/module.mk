$(call module,backend-store/lmtp,backend-store/mailbox common/proto common/directory common/conf common/session common/link common/net common/tls common/mail common/metrics common/log common/base,)
$(call unit_fake,backend-store/lmtp,tests/fakeauth)
