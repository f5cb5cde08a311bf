$(call module,frontend-imap/imap,frontend-imap/route common/proto common/directory common/location common/session common/link common/net common/tls common/conf common/metrics common/log common/mail common/base,)
$(call unit_fake,frontend-imap/imap,tests/fakeauth)
