$(call module,frontend-imap/pop3,frontend-imap/route common/proto common/directory common/location common/session common/link common/net common/tls common/conf common/metrics common/log common/mail common/base,)
$(call unit_fake,frontend-imap/pop3,tests/fakeauth)
