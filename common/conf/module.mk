$(call module,common/conf,common/base common/net,)
$(call unit,common/conf)
