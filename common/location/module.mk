$(call module,common/location,common/kv common/net common/log common/base,)
$(call unit_fake,common/location)
