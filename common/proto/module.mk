$(call module,common/proto,common/mail common/base,)
$(call unit,common/proto)
