$(call module,backend-store/pop3,backend-store/mailbox common/proto common/directory common/conf common/session common/link common/net common/tls common/mail common/metrics common/log common/base)
$(call unit_fake,backend-store/pop3,tests/fakeauth)
