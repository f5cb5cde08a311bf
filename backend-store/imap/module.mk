$(call module,backend-store/imap,backend-store/mailbox common/proto common/directory common/conf common/session common/link common/net common/tls common/text common/mail common/metrics common/log common/base,)
$(call unit_fake,backend-store/imap,tests/fakeauth)
