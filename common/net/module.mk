$(call module,common/net,common/base common/log common/tls,-levent_openssl -levent_extra -levent_core)
$(call unit,common/net)
