$(call scenario,tests/scenario/names,mupdate backend-store/cluster tests/fakeauth,-Imupdate -Ibackend-store)
