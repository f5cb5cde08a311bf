# common/net's headers on a fake network; its addresses are the real ones.
MORE_tests/fakenet := common/net/addr.c
$(call module,tests/fakenet,common/base common/log tests/lib,)
