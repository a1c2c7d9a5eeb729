/* adapter_config.json: PEFT's files are read, mathematics that we do not have is refused by name, what we write is read
 * back. */
#include "support/test.h"

#include <math.h>

#include "model/lora_config.h"

#define BASE "\"peft_type\": \"LORA\", \"r\": 8, \"lora_alpha\": 16, \"target_modules\": [\"q_proj\", \"layers.1.mlp.up_proj\"]"

static r1_status read_text(const char *text, r1i_lora_config *c, r1_error *err)
{
    json_t *root;
    *err = (r1_error){0};
    assert_int_equal(r1i_json_parse(text, strlen(text), &root, err), R1_OK);
    const r1_status st = r1i_lora_config_from_json(root, c, err);
    json_decref(root);
    return st;
}

static void test_read(void **state)
{
    r1i_lora_config c;
    r1_error err;
    (void)state;
    assert_int_equal(read_text("{" BASE ", \"base_model_name_or_path\": \"some/base\", \"loftq_config\": {}, \"bias\": \"none\", \"lora_dropout\": 0.05}", &c, &err), R1_OK);
    assert_int_equal(c.r, 8);
    assert_true(c.alpha == 16 && r1i_lora_config_scale(&c) == 2.0f && !c.all_linear && !c.partial);
    assert_string_equal(json_string_value(c.base), "some/base");
    assert_true(r1i_lora_config_wants(&c, "model.layers.0.self_attn.q_proj", NULL));
    /* a tail begins behind a dot */
    assert_false(r1i_lora_config_wants(&c, "model.layers.0.self_attn.not_q_proj", NULL));
    assert_true(r1i_lora_config_wants(&c, "model.layers.1.mlp.up_proj", NULL));
    assert_false(r1i_lora_config_wants(&c, "model.layers.11.mlp.gate_proj", NULL));
    r1i_lora_config_free(&c);
    assert_int_equal(read_text("{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"target_modules\": \"all-linear\", \"use_rslora\": true}", &c, &err), R1_OK);
    assert_true(c.all_linear && r1i_lora_config_scale(&c) == 4.0f && r1i_lora_config_wants(&c, "anything", NULL));
    r1i_lora_config_free(&c);
    assert_int_equal(read_text("{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"target_modules\": \".*(q|v)_proj\"}", &c, &err), R1_OK);
    assert_true(c.partial && !c.all_linear);
    r1i_lora_config_free(&c);
}

static void test_refused(void **state)
{
    static const struct { const char *text; r1_status code; const char *said; } cases[] = {
        {"[]", R1_ERR_FORMAT, "an object"},
        {"{}", R1_ERR_FORMAT, "peft_type is missing"},
        {"{\"peft_type\": \"IA3\"}", R1_ERR_UNSUPPORTED, "IA3"},
        {"{" BASE ", \"use_dora\": true}", R1_ERR_UNSUPPORTED, "use_dora"},
        {"{" BASE ", \"bias\": \"lora_only\"}", R1_ERR_UNSUPPORTED, "bias"},
        {"{" BASE ", \"modules_to_save\": [\"lm_head\"]}", R1_ERR_UNSUPPORTED, "modules_to_save"},
        {"{" BASE ", \"rank_pattern\": {\"q_proj\": 4}}", R1_ERR_UNSUPPORTED, "rank_pattern"},
        {"{" BASE ", \"alpha_pattern\": {\"q_proj\": 4}}", R1_ERR_UNSUPPORTED, "alpha_pattern"},
        {"{" BASE ", \"init_lora_weights\": \"pissa_niter_4\"}", R1_ERR_UNSUPPORTED, "pissa"},
        {"{\"peft_type\": \"LORA\", \"r\": 0, \"lora_alpha\": 1, \"target_modules\": [\"q\"]}", R1_ERR_FORMAT, "r: the adapter's rank"},
        {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": \"x\", \"target_modules\": [\"q\"]}", R1_ERR_FORMAT, "lora_alpha"},
        {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 1, \"target_modules\": []}", R1_ERR_FORMAT, "target_modules"},
        {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 1, \"target_modules\": [\"q\", 1]}", R1_ERR_FORMAT, "item 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r1i_lora_config c;
        r1_error err;
        const r1_status st = read_text(cases[i].text, &c, &err);
        if (st != cases[i].code || !strstr(err.message, cases[i].said))
            fail_msg("%s: %d, %s", cases[i].text, (int)st, err.message);
        r1i_lora_config_free(&c);
    }
}

static void test_written(void **state)
{
    r1i_lora_config c, again;
    r1_error err;
    char *text;
    (void)state;
    assert_int_equal(read_text("{" BASE ", \"base_model_name_or_path\": \"b\"}", &c, &err), R1_OK);
    for (int experts = 0; experts < 2; experts++) {
        assert_int_equal(r1i_lora_config_text(&c, experts, &text, &err), R1_OK);
        assert_int_equal(strstr(text, "exclude_modules") != NULL, experts);
        assert_non_null(strstr(text, "\"lora_alpha\": 16,")); /* an integer, as PEFT's annotation says */
        assert_int_equal(read_text(text, &again, &err), R1_OK);
        assert_true(again.r == c.r && again.alpha == c.alpha && json_equal(again.targets, c.targets) && !again.partial);
        r1i_lora_config_free(&again);
        free(text);
    }
    r1i_lora_config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
