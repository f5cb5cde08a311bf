$(call module,frontend-smtp/deliver,common/proto common/link common/conf common/net common/tls common/mail common/metrics common/log common/base,)
$(call unit_fake,frontend-smtp/deliver)
