$(call module,tests/fakeauth,common/directory common/base,)
