$(call module,common/log,common/base,)
$(call unit,common/log)
