$(call module,frontend-smtp,frontend-smtp/session frontend-smtp/deliver frontend-smtp/route common/svc common/front common/ctl common/directory common/location common/conf common/json common/metrics common/session common/link common/net common/tls common/mail common/log common/base,)
$(call program,roost-smtp,frontend-smtp,frontend-smtp)
$(call unit,frontend-smtp)
