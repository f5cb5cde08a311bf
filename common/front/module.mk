$(call module,common/front,common/ctl common/location common/json common/base,)
