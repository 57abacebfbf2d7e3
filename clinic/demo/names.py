"""Invented patients. Phone numbers and e-mail domains are reserved for fiction (Ofcom, Bundesnetzagentur, RFC 2606)."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from random import Random

from clinic.core.names import clean_name, fold


@dataclass(frozen=True)
class DemoPatient:
    first_name: str
    last_name: str
    email: str
    phone_number: str
    date_of_birth: dt.date | None


# How many patients, first names, last names. After a slash stands what an e-mail address has for a name that folding
# does not make ASCII. Where the last name goes with a woman's or a man's first name there is an entry for each.
NAMES: tuple[tuple[int, str, str], ...] = (
    (
        84,  # Portuguese
        "Maria João, Inês, Gonçalo, Beatriz, Tomás, Conceição, Simão, Luísa, Álvaro, Mafalda, Duarte, Graça, Vasco",
        "dos Santos, Ferreira, Carvalho, da Conceição, Simões, Leitão, de Brito e Melo, Magalhães, Sá-Machado, d'Abreu",
    ),
    (
        22,  # German
        "Anna-Lena, Jürgen, Käthe, Björn, Ute, Matthias, Jörg",
        "Müller, Weiß, Schröder, von der Heide, Groß, Böhm, Schäfer-Lindner, Vogt",
    ),
    (
        20,  # Polish
        "Małgorzata, Łukasz, Zofia, Paweł, Agnieszka, Stanisław, Bożena",
        "Nowak, Wójcik, Stępień, Wróbel, Kaźmierczak, Mazur, Dąbek",
    ),
    (18, "Ayşe, Çağlar, Işıl, Ömer, Gülşen, İbrahim, Şükrü", "Yılmaz, Öztürk, Çelik, Kılıç, Şahin, Aydoğan"),
    (
        20,  # Arabic, in Latin letters
        "Fatima Zahra, Youssef, Layla, Abd al-Rahman, Noura, Khaled, Salma",
        "al-Masri, Ben Youssef, Haddad, Abu Salem, El Idrissi, Khoury, bint Rashid",
    ),
    (6, "ليلى/layla, يوسف/youssef, سلمى/salma", "حداد/haddad, المصري/almasri, الخوري/alkhoury"),
    (18, "Wei, Xiuying, Jianguo, Meilin, Zihan, Yǔxuān, Haoran", "Wang, Li, Zhang, Ouyang, Lü, Zhào"),
    (6, "秀英/xiuying, 建国/jianguo, 子涵/zihan", "王/wang, 欧阳/ouyang, 赵/zhao"),
    (8, "Оксана/oksana, Тарас/taras, Юлія/yuliia, Богдан/bohdan", "Шевчук/shevchuk, Бондар/bondar, Ткач/tkach"),
    (4, "Ελένη/eleni, Δέσποινα/despina", "Παππά/pappa, Νικολάου/nikolaou"),
    (4, "Γιώργος/giorgos, Αναστάσιος/anastasios", "Παππάς/pappas, Οικονόμου/oikonomou"),
    (14, "Priya, Arjun, Lakshmi, Vikram, Meera, Sanjay", "Sharma, Iyer, Patel, Krishnamurthy, Chatterjee, Nair"),
    (6, "प्रिया/priya, अर्जुन/arjun, मीरा/meera", "शर्मा/sharma, पटेल/patel, वर्मा/verma"),
    (
        12,  # Yoruba
        "Olúfúnkẹ́, Adébáyọ̀, Ṣadé, Táíwò, Kẹ́hìndé, Ayọ̀délé",
        "Ògúnbíyì, Adéyẹmí, Ọláwálé, Babátúndé, Ọlátúnjí",
    ),
    (4, "Guðrún, Þórdís, Sigríður", "Jónsdóttir, Þorvaldsdóttir, Ægisdóttir"),
    (4, "Björgvin, Þórður, Sæmundur", "Jónsson, Guðmundsson, Össurarson"),
    (16, "Thị Lan, Minh Đức, Ngọc Ánh, Văn Hùng, Thu Hà, Quốc Bảo", "Nguyễn, Trần, Đặng, Phạm, Huỳnh, Vũ"),
    (12, "Siobhán, Pádraig, Aoife, Séamus, Niamh", "O'Brien, O'Sullivan, Ní Dhomhnaill, McCarthy, D'Arcy, O’Neill"),
    (12, "Sanne, Jan-Willem, Femke, Bram, Anneke", "van der Berg, de Vries, van 't Hoff, ter Horst, van den Heuvel"),
    (10, "Begoña, Íñigo, Montserrat, Andrés", "Muñoz Ibáñez, de la Peña, Núñez, Castaño y Rey"),
)

PHONE_FORMATS = (
    "+351 900 000 ###",
    "+351 900 000 ###",
    "+351900000###",
    "00351 900 000 ###",
    "900 000 ###",
    "900-000-###",
    "(+351) 200 000 ###",
    "200 000 ### ext. ##",
    "+44 7700 900###",
    "020 7946 0###",
    "+49 30 23125 ###",
    "030/23125-###",
    "+33 6 39 98 ## ##",
    "+1 212-555-01##",
    "",
)

# Ages from and up to, in years, and how many of a hundred patients have them.
AGES = ((0, 3, 7), (3, 16, 16), (16, 40, 27), (40, 65, 27), (65, 85, 19), (85, 99, 4))
DAYS_A_YEAR = 365.25
ADULT_YEARS = 18
NO_DATE_OF_BIRTH = 0.04  # of the adults: registered on the telephone


def plan_patients(rng: Random, *, today: dt.date) -> list[DemoPatient]:
    """Return the 300 patients in a mixed order, each with an e-mail address of their own."""
    pairs = [pair for count, firsts, lasts in NAMES for pair in rng.sample(_pairs(firsts, lasts), count)]
    rng.shuffle(pairs)
    taken: Counter[str] = Counter()
    return [
        DemoPatient(
            first_name=_shown(first),
            last_name=_shown(last),
            email=_email(first, last, taken, rng),
            phone_number=_phone_number(rng),
            date_of_birth=_date_of_birth(rng, today),
        )
        for first, last in pairs
    ]


def _pairs(first_names: str, last_names: str) -> list[tuple[str, str]]:
    return [(first, last) for first in first_names.split(", ") for last in last_names.split(", ")]


def _shown(name: str) -> str:
    return clean_name(name.partition("/")[0])


def _email(first: str, last: str, taken: Counter[str], rng: Random) -> str:
    """Return an address made of the name, with a number if it is taken."""
    parts = [fold(name.partition("/")[2] or name).replace(" ", rng.choice(("", "-"))) for name in (first, last)]
    local = rng.choice((".", "_", "")).join(parts)
    taken[local] += 1
    number = taken[local] if taken[local] > 1 else ""
    return f"{local}{number}@{rng.choice(('example.org', 'example.com'))}"


def _phone_number(rng: Random) -> str:
    template = rng.choice(PHONE_FORMATS)
    return "".join(str(rng.randrange(10)) if char == "#" else char for char in template)


def _date_of_birth(rng: Random, today: dt.date) -> dt.date | None:
    youngest, oldest, _share = rng.choices(AGES, weights=[share for _from, _to, share in AGES])[0]
    days = rng.randrange(1 + int(youngest * DAYS_A_YEAR), int(oldest * DAYS_A_YEAR))
    if days > ADULT_YEARS * DAYS_A_YEAR and rng.random() < NO_DATE_OF_BIRTH:
        return None
    return today - dt.timedelta(days=days)
