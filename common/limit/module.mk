$(call module,common/limit,common/base)
$(call unit,common/limit)
