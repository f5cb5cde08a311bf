$(call module,frontend-imap/route,common/directory common/location common/conf common/net common/mail common/log common/base,)
$(call unit_fake,frontend-imap/route,tests/fakeauth)
