$(call module,common/link,common/net common/log common/base,)
$(call unit_fake,common/link)
