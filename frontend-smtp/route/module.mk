$(call module,frontend-smtp/route,common/directory common/location common/conf common/net common/mail common/log common/base,)
$(call unit_fake,frontend-smtp/route,tests/fakeauth)
