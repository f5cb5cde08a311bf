$(call module,backend-store/mailbox,backend-store/engine common/kv common/hash common/tls common/net common/text common/mail common/log common/base)
$(call unit_fake,backend-store/mailbox)
