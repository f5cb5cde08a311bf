$(call module,common/ctl,common/json common/link common/net common/log common/base,)
$(call unit,common/ctl)
