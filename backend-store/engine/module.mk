$(call module,backend-store/engine,common/kv common/hash common/net common/log common/base)
$(call unit_fake,backend-store/engine)
