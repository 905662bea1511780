/* SPDX-License-Identifier: Apache-2.0 */
/* What a descriptor must have. Registering one shows it: a loaded plugin's goes
 * through the same check. */
#include <muster/plugin.h>

#include <criterion/criterion.h>
#include <string.h>

static muster_status make(const muster_resolver_env *env, void **ret_self,
                          muster_error *err)
{
    (void)env;
    (void)ret_self;
    return muster_error_set(err, MUSTER_UNSUPPORTED, "never made");
}

static muster_status make_policy(const muster_balancer_env *env,
                                 void **ret_self, muster_error *err)
{
    (void)env;
    (void)ret_self;
    return muster_error_set(err, MUSTER_UNSUPPORTED, "never made");
}

static void use(void *self)
{
    (void)self;
}

static muster_verdict pick(void *self, void *table,
                           const muster_pick_args *args,
                           muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    (void)result;
    return MUSTER_PICK_QUEUE;
}

static muster_status build(void *self, const muster_build_args *args,
                           void **ret_table, muster_error *err)
{
    (void)self;
    (void)args;
    (void)ret_table;
    return muster_error_set(err, MUSTER_UNSUPPORTED, "never built");
}

static void destroy_table(void *self, void *table)
{
    (void)self;
    (void)table;
}

/* A good plugin, made anew for each test to spoil. */
static muster_option_info option;
static muster_resolver_class resolver;
static muster_balancer_class balancer;
static const muster_resolver_class *resolvers[1];
static const muster_balancer_class *balancers[1];
static muster_plugin plugin;
static const muster_plugin *returned;

static const muster_plugin *entry(void)
{
    return returned;
}

static void set_up(void)
{
    option = (muster_option_info){"interval_ms", "time between two looks"};
    resolver = (muster_resolver_class){
        .struct_size = (uint32_t)sizeof resolver,
        .scheme = "spoiled",
        .options = &option,
        .n_options = 1,
        .create = make,
        .start = use,
        .free = use,
    };
    balancer = (muster_balancer_class){
        .struct_size = (uint32_t)sizeof balancer,
        .name = "spoiled",
        .create = make_policy,
        .build = build,
        .pick = pick,
        .table_destroy = destroy_table,
        .destroy = use,
    };
    resolvers[0] = &resolver;
    balancers[0] = &balancer;
    plugin = (muster_plugin){
        .struct_size = (uint32_t)sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "spoiled",
        .version = "1",
        .resolvers = resolvers,
        .balancers = balancers,
        .n_resolvers = 1,
        .n_balancers = 1,
    };
    returned = &plugin;
}

TestSuite(descriptor, .init = set_up);

static void expect_refused(const char *text)
{
    muster_error err = {.code = MUSTER_OK, .message = ""};

    cr_expect_eq(muster_plugin_register(entry, &err), MUSTER_ABI, "%s",
                 err.message);
    cr_expect_not_null(strstr(err.message, text), "no \"%s\" in: %s", text,
                       err.message);
}

Test(descriptor, is_accepted_when_nothing_is_wrong)
{
    muster_error err = {.code = MUSTER_OK, .message = ""};

    cr_assert_eq(muster_plugin_register(entry, &err), MUSTER_OK, "%s",
                 err.message);
}

Test(descriptor, may_be_registered_twice)
{
    cr_assert_eq(muster_plugin_register(entry, NULL), MUSTER_OK);
    cr_assert_eq(muster_plugin_register(entry, NULL), MUSTER_OK);
}

Test(descriptor, must_be_there)
{
    returned = NULL;
    expect_refused("returned no descriptor");
    cr_expect_eq(muster_plugin_register(NULL, NULL), MUSTER_INVAL);
}

Test(descriptor, must_have_its_head)
{
    plugin.struct_size = 0;
    expect_refused("struct_size of muster_plugin is 0");
}

Test(descriptor, must_have_this_abi)
{
    plugin.abi_minor = MUSTER_ABI_MINOR + 1;
    expect_refused("this library takes the same major number up to 1.0");
}

Test(descriptor, must_have_the_fields_of_its_abi)
{
    plugin.struct_size = (uint32_t)offsetof(muster_plugin, resolvers);
    expect_refused("struct_size of muster_plugin is");
}

Test(descriptor, may_be_longer_than_ours)
{
    plugin.struct_size += 64;
    cr_assert_eq(muster_plugin_register(entry, NULL), MUSTER_OK);
}

Test(descriptor, must_have_a_valid_name)
{
    const char *names[] = {NULL,
                           "",
                           "Spoiled",
                           "a b",
                           "a.b",
                           "../spoiled",
                           "012345678901234567890123456789012"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        plugin.name = names[i];
        expect_refused("the plugin has no valid name ([a-z0-9_-]{1,32})");
    }
}

Test(descriptor, must_have_a_class)
{
    plugin.n_resolvers = 0;
    plugin.n_balancers = 0;
    expect_refused("the plugin has 0 classes; a plugin has 1 to 64");
}

Test(descriptor, must_not_have_countless_classes)
{
    plugin.n_resolvers = UINT32_MAX;
    expect_refused("a plugin has 1 to 64");
}

Test(descriptor, must_have_the_lists_that_it_counts)
{
    plugin.resolvers = NULL;
    expect_refused("counts classes and has no list");
    plugin.resolvers = resolvers;
    plugin.balancers = NULL;
    expect_refused("counts classes and has no list");
}

Test(descriptor, must_not_list_null)
{
    resolvers[0] = NULL;
    expect_refused("a class in the plugin's list is NULL");
    resolvers[0] = &resolver;
    balancers[0] = NULL;
    expect_refused("a class in the plugin's list is NULL");
}

Test(descriptor, must_have_whole_classes)
{
    resolver.struct_size = 0;
    expect_refused("struct_size of a muster_resolver_class is 0");
    resolver.struct_size = (uint32_t)sizeof resolver;
    balancer.struct_size = (uint32_t)offsetof(muster_balancer_class, destroy);
    expect_refused("struct_size of a muster_balancer_class is");
}

Test(descriptor, must_have_valid_schemes)
{
    const char *schemes[] = {NULL,
                             "",
                             "1a",
                             "Spoiled",
                             "a_b",
                             "a:b",
                             "a12345678901234567890123456789012"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        resolver.scheme = schemes[i];
        expect_refused("a resolver has no valid scheme");
    }
}

Test(descriptor, must_have_valid_policy_names)
{
    const char *names[] = {NULL, "", "1a", "Spoiled", "a-b"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        balancer.name = names[i];
        expect_refused("a balancer has no valid name");
    }
}

/* So that a later ABI can give them a meaning. */
Test(descriptor, must_not_have_flags_that_do_not_exist)
{
    resolver.flags = 1u << 31;
    expect_refused("resolver:spoiled has flags that ABI 1.0 does not know "
                   "(0x80000000)");
    resolver.flags = 0;
    balancer.flags = 1u << 31 | MUSTER_BALANCER_USES_WEIGHTS;
    expect_refused("balancer:spoiled has flags that ABI 1.0 does not know "
                   "(0x80000000)");
    balancer.flags = 0;
    balancer.reserved = 1;
    expect_refused("reserved of balancer:spoiled is 1, not 0");
}

Test(descriptor, must_not_name_a_class_twice)
{
    static const muster_resolver_class *twice[] = {&resolver, &resolver};

    plugin.resolvers = twice;
    plugin.n_resolvers = 2;
    expect_refused("it names resolver:spoiled twice");
}

/* Eight names of the longest, more than a note has room for. */
Test(descriptor, must_have_names_that_a_note_has_room_for)
{
    enum { N = 8, LONGEST = 64 };
    static char names[N][LONGEST + 1];
    static muster_balancer_class many[N];
    static const muster_balancer_class *all[N];

    for (size_t i = 0; i < N; i++) {
        memset(names[i], 'a' + (int)i, LONGEST);
        many[i] = balancer;
        many[i].name = names[i];
        all[i] = &many[i];
    }
    plugin.balancers = all;
    plugin.n_balancers = N;
    expect_refused("its names together are longer than the 504 bytes of a "
                   "note");
}

Test(descriptor, must_fill_the_resolvers_must_slots)
{
    resolver.create = NULL;
    expect_refused("resolver:spoiled has no create()");
    resolver.create = make;
    resolver.start = NULL;
    expect_refused("resolver:spoiled has no start()");
    resolver.start = use;
    resolver.free = NULL;
    expect_refused("resolver:spoiled has no free()");
}

Test(descriptor, must_fill_the_balancers_must_slots)
{
    balancer.create = NULL;
    expect_refused("balancer:spoiled has no create()");
    balancer.create = make_policy;
    balancer.pick = NULL;
    expect_refused("balancer:spoiled has no pick()");
    balancer.pick = pick;
    balancer.table_destroy = NULL;
    expect_refused("balancer:spoiled has no table_destroy()");
    balancer.build = NULL;
    balancer.destroy = NULL;
    expect_refused("balancer:spoiled has no destroy()");
}

Test(descriptor, must_name_its_options)
{
    option.name = NULL;
    expect_refused("option 0 of resolver:spoiled has no valid name");
    resolver.options = NULL;
    expect_refused("has 1 options and no list of them");
}

Test(descriptor, must_not_want_endless_state)
{
    balancer.state_size = UINT32_MAX;
    expect_refused("balancer:spoiled wants a state_size of 4294967295");
}

Test(descriptor, must_not_take_anothers_name)
{
    plugin.name = "round_robin";
    expect_refused("\"round_robin\" is taken by a plugin linked in");
}

Test(descriptor, must_not_take_anothers_policy)
{
    balancer.name = "round_robin";
    expect_refused("\"balancer:round_robin\" is taken by a plugin linked in");
}
