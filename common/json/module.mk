$(call module,common/json,common/base,-ljansson)
$(call unit,common/json)
