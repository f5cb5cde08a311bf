$(call module,mupdate,common/svc common/ctl common/directory common/location common/proto common/link common/kv common/conf common/metrics common/json common/net common/tls common/mail common/log common/base,)
$(call unit_fake,mupdate,tests/fakeauth)
$(call program,roost-mupdate,mupdate,mupdate)
