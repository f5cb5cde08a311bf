$(call module,common/text,common/mail common/base,-lunistring)
$(call unit,common/text)
