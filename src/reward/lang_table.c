/* The languages, and the commonest short words of those that share a script. */
#include <string.h>

#include "reward/lang_id.h"

static const r1i_language languages[] = {
    {"en", "English", R1I_SCRIPT_LATIN, " the of and to in is that it was for on are as with be this have not from by which you we at so or if then but can will would "
     "an let first there what because they he she has how i a "},
    {"fr", "French", R1I_SCRIPT_LATIN, " le la les des et est un une que qui dans pour pas ne sur au avec ce cette il elle nous vous sont par plus du de en je donc mais "
     "ou on alors nombre aux quel quelle combien se "},
    {"de", "German", R1I_SCRIPT_LATIN, " der die das und ist ein eine nicht den von zu mit sich auf f\xC3\xBCr im dem es sind auch als wir ich wird werden oder aber wenn so "
     "dass wie viele was einen "},
    {"es", "Spanish", R1I_SCRIPT_LATIN, " el la los las de que y en un una es por con para no se del al lo como m\xC3\xA1s su pero son si este esta o nos hay entonces cu\xC3\xA1l "
     "cu\xC3\xA1ntos cu\xC3\xA1ntas qu\xC3\xA9 "},
    {"it", "Italian", R1I_SCRIPT_LATIN, " il lo la gli le di che e \xC3\xA8 un una per non con del della sono si da in come pi\xC3\xB9 ma questo questa anche nel o i quanti dei al "},
    {"pt", "Portuguese", R1I_SCRIPT_LATIN, " o a os as de que e em um uma \xC3\xA9 por com para n\xC3\xA3o se do da no na como mais mas s\xC3\xA3o seu sua ao ou isso este dos quantos "},
    {"nl", "Dutch", R1I_SCRIPT_LATIN, " de het een en van is dat in te op niet met voor zijn er aan ook als maar door naar wordt wij ik je we deze die om hoeveel "},
    {"sv", "Swedish", R1I_SCRIPT_LATIN, " och att det i en som \xC3\xA4r p\xC3\xA5 f\xC3\xB6r av med den till inte om ett har jag vi de s\xC3\xA5 men kan hur m\xC3\xA5nga "},
    {"da", "Danish", R1I_SCRIPT_LATIN, " og at det i en som er p\xC3\xA5 for af med den til ikke om et har jeg vi de s\xC3\xA5 men kan hvor mange "},
    {"nb", "Norwegian", R1I_SCRIPT_LATIN, " og \xC3\xA5 det i en som er p\xC3\xA5 for av med den til ikke om et har jeg vi de s\xC3\xA5 men kan hvor mange "},
    {"fi", "Finnish", R1I_SCRIPT_LATIN, " ja on ei se ett\xC3\xA4 h\xC3\xA4n oli ovat kun mutta my\xC3\xB6s tai joka niin kuin ole sit\xC3\xA4 jos kuinka monta "},
    {"pl", "Polish", R1I_SCRIPT_LATIN, " i w na nie si\xC4\x99 \xC5\xBC" "e to jest z do jak o po co tak ale za od dla jego s\xC4\x85 czy ile "},
    {"cs", "Czech", R1I_SCRIPT_LATIN, " a je se v na \xC5\xBE" "e to s z do o jako pro ale by po jsou i k za jeho kolik "},
    {"ro", "Romanian", R1I_SCRIPT_LATIN, " \xC8\x99i \xC5\x9Fi de \xC3\xAEn la cu nu a o un pe care este din mai pentru ca c\xC4\x83 se sunt au c\xC3\xA2te "},
    {"hu", "Hungarian", R1I_SCRIPT_LATIN, " a az \xC3\xA9s hogy nem is egy van de ez meg csak volt mint ha m\xC3\xA1r vagy el h\xC3\xA1ny "},
    {"tr", "Turkish", R1I_SCRIPT_LATIN, " ve bir bu da de i\xC3\xA7in ile \xC3\xA7ok daha ne gibi olarak var ama o en kadar olan de\xC4\x9Fil ka\xC3\xA7 "},
    {"vi", "Vietnamese", R1I_SCRIPT_LATIN, " v\xC3\xA0 c\xE1\xBB\xA7" "a l\xC3\xA0 c\xC3\xB3 kh\xC3\xB4ng \xC4\x91\xC6\xB0\xE1\xBB\xA3" "c m\xE1\xBB\x99t trong cho c\xC3\xA1" "c v\xE1\xBB\x9Bi ng\xC6\xB0\xE1\xBB\x9Di "
     "n\xC3\xA0y \xC4\x91\xC3\xA3 \xC4\x91\xE1\xBB\x83 khi nh\xE1\xBB\xAFng nh\xC6\xB0 t\xC3\xB4i bao nhi\xC3\xAAu "},
    {"id", "Indonesian", R1I_SCRIPT_LATIN, " dan yang di ini itu dengan untuk tidak dari dalam akan pada adalah ke juga saya atau bisa berapa "},
    {"sw", "Swahili", R1I_SCRIPT_LATIN, " na ya wa kwa ni katika za la hii kama cha au hivyo yake si pia kuwa watu ngapi "},
    {"ru", "Russian", R1I_SCRIPT_CYRILLIC, " \xD0\xB8 \xD0\xB2 \xD0\xBD\xD0\xB5 \xD0\xBD\xD0\xB0 \xD1\x87\xD1\x82\xD0\xBE \xD0\xBE\xD0\xBD \xD1\x81 \xD0\xBA\xD0\xB0\xD0\xBA \xD1\x8D\xD1\x82\xD0\xBE \xD0\xBF\xD0\xBE \xD0\xBD\xD0\xBE \xD0\xB8\xD0\xB7 \xD1\x83 \xD0\xB7\xD0\xB0 \xD0\xBA \xD0\xBE\xD1\x82 \xD0\xB4\xD0\xBB\xD1\x8F \xD0\xBC\xD1\x8B "},
    {"uk", "Ukrainian", R1I_SCRIPT_CYRILLIC, " \xD1\x96 \xD0\xB2 \xD0\xBD\xD0\xB5 \xD0\xBD\xD0\xB0 \xD1\x89\xD0\xBE \xD0\xB2\xD1\x96\xD0\xBD \xD0\xB7 \xD1\x8F\xD0\xBA \xD1\x86\xD0\xB5 \xD1\x82\xD0\xB0 \xD0\xB4\xD0\xBE \xD0\xB0\xD0\xBB\xD0\xB5 \xD0\xB7\xD0\xB0 \xD0\xB9 \xD1\x83 \xD0\xB2\xD1\x96\xD0\xB4 \xD0\xB4\xD0\xBB\xD1\x8F \xD1\x94 "},
    {"bg", "Bulgarian", R1I_SCRIPT_CYRILLIC, " \xD0\xB8 \xD0\xB2 \xD0\xBD\xD0\xB5 \xD0\xBD\xD0\xB0 \xD1\x87\xD0\xB5 \xD1\x82\xD0\xBE\xD0\xB9 \xD1\x81 \xD0\xBA\xD0\xB0\xD0\xBA \xD1\x82\xD0\xBE\xD0\xB2\xD0\xB0 \xD0\xBF\xD0\xBE \xD0\xBD\xD0\xBE \xD0\xBE\xD1\x82 \xD0\xB7\xD0\xB0 \xD1\x81\xD0\xB5 \xD0\xB4\xD0\xB0 \xD1\x81\xD0\xB0 \xD0\xB5 \xD1\x89\xD0\xB5 "},
    {"ar", "Arabic", R1I_SCRIPT_ARABIC, " \xD9\x81\xD9\x8A \xD9\x85\xD9\x86 \xD8\xB9\xD9\x84\xD9\x89 \xD8\xA3\xD9\x86 \xD8\xA5\xD9\x84\xD9\x89 \xD9\x87\xD8\xB0\xD8\xA7 \xD8\xA7\xD9\x84\xD8\xAA\xD9\x8A \xD8\xB9\xD9\x86 \xD9\x85\xD8\xB9 \xD9\x84\xD8\xA7 \xD9\x85\xD8\xA7 \xD9\x87\xD8\xB0\xD9\x87 \xD9\x87\xD9\x88 "},
    {"fa", "Persian", R1I_SCRIPT_ARABIC, " \xD9\x88 \xD8\xAF\xD8\xB1 \xD8\xA8\xD9\x87 \xD8\xA7\xD8\xB2 \xDA\xA9\xD9\x87 \xD8\xA7\xDB\x8C\xD9\x86 \xD8\xB1\xD8\xA7 \xD8\xA8\xD8\xA7 \xD8\xA7\xD8\xB3\xD8\xAA \xD8\xA8\xD8\xB1\xD8\xA7\xDB\x8C \xD8\xA2\xD9\x86 \xDB\x8C\xDA\xA9 \xD8\xAA\xD8\xA7 \xD9\x85\xDB\x8C "},
    {"ur", "Urdu", R1I_SCRIPT_ARABIC, " \xDA\xA9\xDB\x92 \xD9\x85\xDB\x8C\xDA\xBA \xDA\xA9\xDB\x8C \xDB\x81\xDB\x92 \xD8\xA7\xD9\x88\xD8\xB1 \xD8\xB3\xDB\x92 \xDA\xA9\xD8\xA7 \xDA\xA9\xD9\x88 \xD9\xBE\xD8\xB1 \xDB\x8C\xDB\x81 \xD9\x86\xDB\x92 \xDB\x81\xDB\x8C\xDA\xBA \xDA\xA9\xDB\x81 "},
    {"hi", "Hindi", R1I_SCRIPT_DEVANAGARI, " \xE0\xA4\x95\xE0\xA5\x87 \xE0\xA4\xAE\xE0\xA5\x87\xE0\xA4\x82 \xE0\xA4\x95\xE0\xA5\x80 \xE0\xA4\xB9\xE0\xA5\x88 \xE0\xA4\x94\xE0\xA4\xB0 \xE0\xA4\xB8\xE0\xA5\x87 \xE0\xA4\x95\xE0\xA4\xBE \xE0\xA4\x95\xE0\xA5\x8B \xE0\xA4\xAA\xE0\xA4\xB0 \xE0\xA4\xAF\xE0\xA4\xB9 \xE0\xA4\xA8\xE0\xA5\x87 \xE0\xA4\xB9\xE0\xA5\x88\xE0\xA4\x82 \xE0\xA4\x95\xE0\xA4\xBF "},
    {"mr", "Marathi", R1I_SCRIPT_DEVANAGARI, " \xE0\xA4\x86\xE0\xA4\xB9\xE0\xA5\x87 \xE0\xA4\x86\xE0\xA4\xA3\xE0\xA4\xBF \xE0\xA4\xAF\xE0\xA4\xBE \xE0\xA4\xB9\xE0\xA5\x87 \xE0\xA4\xA4\xE0\xA5\x87 \xE0\xA4\x86\xE0\xA4\xB9\xE0\xA5\x87\xE0\xA4\xA4 \xE0\xA4\xA8\xE0\xA4\xBE\xE0\xA4\xB9\xE0\xA5\x80 \xE0\xA4\xAA\xE0\xA4\xA3 \xE0\xA4\xB5 "},
    {"ne", "Nepali", R1I_SCRIPT_DEVANAGARI, " \xE0\xA4\xB0 \xE0\xA4\x9B \xE0\xA4\xAF\xE0\xA5\x8B \xE0\xA4\xB9\xE0\xA5\x8B \xE0\xA4\xB2\xE0\xA4\xBE\xE0\xA4\x97\xE0\xA4\xBF \xE0\xA4\x9B\xE0\xA4\xA8\xE0\xA5\x8D \xE0\xA4\x97\xE0\xA4\xB0\xE0\xA5\x8D\xE0\xA4\xA8 \xE0\xA4\xAA\xE0\xA4\xA8\xE0\xA4\xBF \xE0\xA4\xAE\xE0\xA4\xBE "},
    {"zh", "Chinese", R1I_SCRIPT_HAN, NULL},
    {"ja", "Japanese", R1I_SCRIPT_KANA, NULL},
    {"ko", "Korean", R1I_SCRIPT_HANGUL, NULL},
    {"el", "Greek", R1I_SCRIPT_GREEK, NULL},
    {"he", "Hebrew", R1I_SCRIPT_HEBREW, NULL},
    {"th", "Thai", R1I_SCRIPT_THAI, NULL},
    {"bn", "Bengali", R1I_SCRIPT_BENGALI, NULL},
    {"pa", "Punjabi", R1I_SCRIPT_GURMUKHI, NULL},
    {"gu", "Gujarati", R1I_SCRIPT_GUJARATI, NULL},
    {"ta", "Tamil", R1I_SCRIPT_TAMIL, NULL},
    {"te", "Telugu", R1I_SCRIPT_TELUGU, NULL},
    {"kn", "Kannada", R1I_SCRIPT_KANNADA, NULL},
    {"ml", "Malayalam", R1I_SCRIPT_MALAYALAM, NULL},
};

const r1i_language *r1i_language_at(size_t i)
{
    return i < sizeof languages / sizeof *languages ? &languages[i] : NULL;
}

const r1i_language *r1i_language_find(const char *tag)
{
    size_t n = 0;
    while (tag[n] && tag[n] != '-' && tag[n] != '_') n++;
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        if (strlen(languages[i].tag) == n && memcmp(languages[i].tag, tag, n) == 0) return &languages[i];
    return NULL;
}

r1i_script r1i_script_of(uint32_t c)
{
    static const struct {
        uint32_t first, last;
        r1i_script script;
    } ranges[] = {
        {0x0041, 0x005A, R1I_SCRIPT_LATIN}, {0x0061, 0x007A, R1I_SCRIPT_LATIN}, {0x00C0, 0x024F, R1I_SCRIPT_LATIN},
        {0x0370, 0x03FF, R1I_SCRIPT_GREEK}, {0x0400, 0x052F, R1I_SCRIPT_CYRILLIC}, {0x0530, 0x058F, R1I_SCRIPT_OTHER},
        {0x0590, 0x05FF, R1I_SCRIPT_HEBREW}, {0x0600, 0x06FF, R1I_SCRIPT_ARABIC}, {0x0750, 0x077F, R1I_SCRIPT_ARABIC},
        {0x0900, 0x097F, R1I_SCRIPT_DEVANAGARI}, {0x0980, 0x09FF, R1I_SCRIPT_BENGALI},
        {0x0A00, 0x0A7F, R1I_SCRIPT_GURMUKHI},
        {0x0A80, 0x0AFF, R1I_SCRIPT_GUJARATI}, {0x0B80, 0x0BFF, R1I_SCRIPT_TAMIL}, {0x0C00, 0x0C7F, R1I_SCRIPT_TELUGU},
        {0x0C80, 0x0CFF, R1I_SCRIPT_KANNADA}, {0x0D00, 0x0D7F, R1I_SCRIPT_MALAYALAM}, {0x0E00, 0x0E7F, R1I_SCRIPT_THAI},
        {0x1100, 0x11FF, R1I_SCRIPT_HANGUL}, {0x1E00, 0x1EFF, R1I_SCRIPT_LATIN}, {0x1F00, 0x1FFF, R1I_SCRIPT_GREEK},
        {0x3005, 0x3007, R1I_SCRIPT_HAN}, {0x3041, 0x30FF, R1I_SCRIPT_KANA}, {0x3130, 0x318F, R1I_SCRIPT_HANGUL},
        {0x31F0, 0x31FF, R1I_SCRIPT_KANA}, {0x3400, 0x4DBF, R1I_SCRIPT_HAN}, {0x4E00, 0x9FFF, R1I_SCRIPT_HAN},
        {0xAC00, 0xD7AF, R1I_SCRIPT_HANGUL}, {0xF900, 0xFAFF, R1I_SCRIPT_HAN}, {0xFB50, 0xFDFF, R1I_SCRIPT_ARABIC},
        {0xFE70, 0xFEFC, R1I_SCRIPT_ARABIC}, {0xFF21, 0xFF3A, R1I_SCRIPT_LATIN}, {0xFF41, 0xFF5A, R1I_SCRIPT_LATIN},
        {0xFF66, 0xFF9F, R1I_SCRIPT_KANA}, {0x20000, 0x323AF, R1I_SCRIPT_HAN},
    };
    if (!r1i_char_letter(c)) return R1I_SCRIPT_NONE;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && ranges[i].first <= c; i++)
        if (c <= ranges[i].last) return ranges[i].script;
    return R1I_SCRIPT_OTHER;
}
