/*
 * shared - the master's world and the store's table from the unit tests: here both are on
 * one network.
 */
#include "unit/backend-store/cluster/fakestore.c"
#include "unit/mupdate/world.c"
