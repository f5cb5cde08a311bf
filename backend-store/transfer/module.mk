$(call module,backend-store/transfer,backend-store/mailbox common/directory common/conf common/link common/net common/tls common/mail common/metrics common/log common/base,)
$(call unit_fake,backend-store/transfer,tests/fakeauth)
