/* shared - the master's world of its unit tests. */
#include "unit/mupdate/world.c"
