$(call module,common/base,,)
$(call unit,common/base)
