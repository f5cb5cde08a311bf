# app.c and control.c need svc and ctl, which only the program brings: unit tests of the
# rest do without.
$(call module,mupdate,common/directory common/location common/proto common/session common/link common/kv common/conf common/metrics common/json common/net common/tls common/mail common/log common/base,)
$(call unit_fake,mupdate,tests/fakeauth)
$(call program,roost-mupdate,mupdate,mupdate common/svc common/ctl)
