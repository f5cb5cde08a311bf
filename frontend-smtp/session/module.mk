$(call module,frontend-smtp/session,frontend-smtp/route frontend-smtp/deliver frontend-smtp/rewrite common/proto common/guard common/limit common/directory common/location common/conf common/session common/link common/net common/tls common/mail common/metrics common/log common/base,)
$(call unit_fake,frontend-smtp/session,tests/fakeauth)
