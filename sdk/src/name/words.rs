//! The word lists behind name splitting. All in lower case, compared after folding accents unless said otherwise. Each
//! list is one text, words separated by spaces: a table of slices would double its size in every component.

use crate::text::lower_char;

/// Before a name; dropped. With a single name after it, that name is a last name.
pub(super) const TITLES: &str = "mr mrs ms miss mx dr dra prof professor herr frau mme mlle sr sra srta dott dipl-ing rev г-н г-жа";

/// After a name; they stay with the last name. Compared without dots.
pub(super) const GENERATIONS: &str = "jr sr ii iii iv jnr snr filho neto junior júnior";

/// After a name; dropped. Compared without dots, and only when typed in this very case.
pub(super) const DEGREES: &str = "PhD Ph MD MBA CPA Esq DDS JD RN MSc BSc LLM CFA PMP PMD DVM EdD DPhil PsyD";

/// Open a last name when something follows. Recognised in any case.
pub(super) const PARTICLES: &str = "van von vom de del della delle degli dela di da dos das du des la le les der den ter ten zu zur zum bin ibn bint binti \
    al el abu st saint af av 't ’t";

/// Open a last name only when typed in lower case: as capitals they are given names or initials.
pub(super) const LOWER_PARTICLES: &str = "ben te do lo san santa dal dalla dei vande vander d' o";

/// Particles of other scripts, as written.
pub(super) const SCRIPT_PARTICLES: &str = "בן בר אבן בת بن ابن بنت آل ال أبو ابو де ван фон дер ла оглы кызы";

/// Join two surnames (`Ruiz y Picasso`), in lower case only.
pub(super) const JOINERS: &str = "y e i";

/// Given names that take the next word along (`Abdul Rahman Khan`), as first words.
pub(super) const BINDING_FIRST: &str = "abdul abdel abd abu عبد أبو ابو أم";

/// What may follow `María de(l) (la/los/las)` or `José de` inside a given name.
pub(super) const DEVOTIONS: &str = "carmen pilar rosario mar angeles luz jesus dolores rocio consuelo lourdes fatima guadalupe soledad socorro mercedes \
    nieves concepcion dios cielo sol refugio fe gracia milagros";

/// Frequent Spanish and Portuguese surnames that do not end in -ez: as the last word but one they open a double surname.
pub(super) const IBERIAN: &str = "garcia diaz ruiz moreno munoz romero gutierrez navarro torres ramos gil serrano blanco molina morales ortega delgado \
    castro ortiz rubio sanz iglesias medina garrido cortes castillo lozano guerrero cano prieto cruz flores herrera vega \
    reyes rojas vargas mendoza aguilar rivera salazar contreras guzman pena rios cabrera campos fuentes silva souza sousa \
    oliveira pereira ferreira costa rodrigues almeida nascimento lima carvalho gomes martins ribeiro alves barbosa rocha \
    fernandes teixeira moura llosa saavedra lorca aguirre ibarra zapata acosta ojeda ferrer vidal soler bolivar";

/// Vietnamese family names as the first word. The accented ones decide; the bare ones are listed only where they are no
/// given name elsewhere. Compared without folding.
pub(super) const VIETNAMESE: &str =
    "nguyễn trần lê phạm huỳnh hoàng vũ võ đặng bùi đỗ hồ ngô dương lý trịnh đinh đoàn lương nguyen tran pham huynh";

/// Chinese surnames of two characters.
pub(super) const HAN_COMPOUND: &str = "欧阳 歐陽 司马 司馬 诸葛 諸葛 上官 司徒 东方 東方 独孤 獨孤 慕容 夏侯 皇甫 尉迟 尉遲 公孙 公孫 轩辕 軒轅 令狐 宇文 长孙 長孫 鲜于 鮮于 闾丘 端木 南宫 南宮 西门 西門 申屠 太史 呼延";

/// Japanese surnames of two characters that a Chinese name of three would hardly begin with.
pub(super) const JAPANESE_TWO: &str = "佐藤 鈴木 高橋 伊藤 渡辺 渡邊 渡部 山本 中村 小林 加藤 吉田 山田 山口 松本 井上 木村 清水 山崎 橋本 阿部 斎藤 斉藤 近藤 遠藤 青木 西村 福田 三浦 藤原 藤田 岡本 岡田 中川 中島 小野 小川 竹内 工藤 \
    後藤 長尾 坂本 村上 前田 松田 上田 横山 宮崎 宮本 内田 谷口 大野 丸山 今井 河野 本田 菊地 菊池 桜井 野村 渋谷 大谷 村田 黒田 黒澤";

/// Japanese surnames of three characters.
pub(super) const JAPANESE_THREE: &str = "佐々木 長谷川 五十嵐 佐久間 大久保 小笠原 宇都宮 久保田 長谷部 日比野 小野寺 波多野 佐々野 小山田";

/// Korean surnames of two syllables.
pub(super) const HANGUL_COMPOUND: &str = "남궁 황보 제갈 사공 선우 서문 독고 동방";

/// True when `list` holds exactly this word.
pub(super) fn has(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// Lower case without the accents of Western European languages, so that `García` and `GARCIA` are one word.
pub(super) fn fold(word: &str) -> String {
    word.chars()
        .map(lower_char)
        .filter(|c| !('\u{300}'..='\u{36f}').contains(c))
        .map(|c| match c {
            'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
            'é' | 'è' | 'ê' | 'ë' => 'e',
            'í' | 'ì' | 'î' | 'ï' => 'i',
            'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
            'ú' | 'ù' | 'û' | 'ü' => 'u',
            'ç' => 'c',
            'ñ' => 'n',
            other => other,
        })
        .collect()
}
