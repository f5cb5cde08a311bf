$(call module,mupdate/ctl,common/ctl common/directory common/conf common/json common/net common/mail common/log common/base,)
$(call unit,mupdate/ctl)
$(call program,roostctl,mupdate/ctl,mupdate/ctl)
