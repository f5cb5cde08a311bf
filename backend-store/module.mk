$(call program,roost-store,backend-store,backend-store/instance common/svc common/ctl)
