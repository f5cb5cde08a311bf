$(call module,common/session,common/base,)
$(call unit,common/session)
