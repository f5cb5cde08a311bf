$(call module,common/metrics,common/base,)
$(call unit,common/metrics)
