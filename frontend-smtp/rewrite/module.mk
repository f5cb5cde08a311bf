$(call module,frontend-smtp/rewrite,common/proto common/tls common/mail common/base,)
$(call unit,frontend-smtp/rewrite)
