$(call module,common/svc,common/ctl common/guard common/directory common/metrics common/conf common/json common/link common/net common/tls common/log common/base,)
$(call unit,common/svc)
