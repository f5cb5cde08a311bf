$(call module,common/location,common/kv common/link common/net common/log common/mail common/base,)
$(call unit_fake,common/location)
