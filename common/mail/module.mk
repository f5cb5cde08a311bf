$(call module,common/mail,common/base,)
$(call unit,common/mail)
