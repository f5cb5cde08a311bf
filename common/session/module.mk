$(call module,common/session,common/json common/base,)
$(call unit,common/session)
