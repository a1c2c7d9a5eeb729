"""Short dialogues and descriptions in simple English, made from templates that agree in number, article and pronoun."""
from families import NAMES

ANIMALS = ["dog", "cat", "horse", "rabbit", "bird", "mouse", "fox", "duck", "owl", "sheep", "goat", "bear"]
ADJECTIVES = ["small", "big", "young", "old", "quiet", "happy", "tired", "hungry", "clever", "friendly", "brown", "white", "black", "gray"]
PLACES = ["in the garden", "under the table", "near the river", "on the hill", "behind the house", "in the forest", "by the window", "at the market", "on the beach", "in the kitchen"]
ACTIONS = [("sleeps", "sleep"), ("runs", "run"), ("sits", "sit"), ("waits", "wait"), ("plays", "play"), ("walks", "walk"), ("rests", "rest"), ("eats", "eat")]
WEATHER = ["sunny", "cloudy", "windy", "cold", "warm", "rainy"]
FOODS = ["bread", "soup", "rice", "cheese", "fish", "fruit", "cake", "salad"]
DRINKS = ["water", "milk", "tea", "juice"]
OBJECTS = [("table", "wood"), ("window", "glass"), ("spoon", "metal"), ("shirt", "cotton"), ("book", "paper"), ("wall", "stone"), ("bag", "leather"), ("cup", "glass")]
COLORS = ["red", "blue", "green", "yellow", "white", "black", "brown", "orange"]
FACTS = [("What color is the sky on a clear day?", "The sky is blue on a clear day."), ("What color is grass?", "Grass is green."),
         ("What color is snow?", "Snow is white."), ("How many legs does a dog have?", "A dog has four legs."), ("How many legs does a spider have?", "A spider has eight legs."),
         ("How many days are in a week?", "A week has seven days."), ("How many months are in a year?", "A year has twelve months."),
         ("How many hours are in a day?", "A day has twenty-four hours."), ("How many minutes are in an hour?", "An hour has sixty minutes."),
         ("What do bees make?", "Bees make honey."), ("What do cows eat?", "Cows eat grass."), ("What do birds build?", "Birds build nests."),
         ("Where do fish live?", "Fish live in water."), ("What is ice?", "Ice is frozen water."), ("What is the opposite of hot?", "The opposite of hot is cold."),
         ("What is the opposite of big?", "The opposite of big is small."), ("What is the opposite of day?", "The opposite of day is night."),
         ("What is the opposite of up?", "The opposite of up is down."), ("What is the opposite of open?", "The opposite of open is closed."),
         ("What is the capital of France?", "The capital of France is Paris."), ("What is the capital of Italy?", "The capital of Italy is Rome."),
         ("What is the capital of Spain?", "The capital of Spain is Madrid."), ("What is the capital of Japan?", "The capital of Japan is Tokyo."),
         ("What is the capital of China?", "The capital of China is Beijing."), ("What is the capital of Germany?", "The capital of Germany is Berlin."),
         ("What is the capital of England?", "The capital of England is London."), ("Which planet do we live on?", "We live on the planet Earth."),
         ("What gives us light during the day?", "The sun gives us light during the day."), ("When do we see the stars?", "We see the stars at night."),
         ("Which season comes after winter?", "Spring comes after winter."), ("Which season comes after summer?", "Autumn comes after summer."),
         ("What do we use to cut paper?", "We use scissors to cut paper."), ("What do we use to write?", "We use a pen or a pencil to write."),
         ("Where do we buy bread?", "We buy bread at a bakery."), ("Who teaches children at school?", "A teacher teaches children at school."),
         ("Who helps people who are ill?", "A doctor helps people who are ill."), ("What is a baby cat called?", "A baby cat is called a kitten."),
         ("What is a baby dog called?", "A baby dog is called a puppy."), ("What is larger, an elephant or a mouse?", "An elephant is larger than a mouse."),
         ("Is fire hot or cold?", "Fire is hot."), ("Can birds fly?", "Most birds can fly."), ("Do plants need water?", "Yes, plants need water and light."),
         ("What comes after Monday?", "Tuesday comes after Monday."), ("What is the first month of the year?", "The first month of the year is January."),
         ("What is the last month of the year?", "The last month of the year is December."), ("What shape is a ball?", "A ball is round.")]
TALK = [(["Hello!", "Hi!", "Hello there.", "Good morning!", "Good evening!", "Hi, how are you?", "hello", "hi"], ["The user greets me. I greet back.", "This is a greeting."],
         ["Hello! How can I help you today?", "Hi! What can I do for you?", "Hello! It is nice to meet you. What would you like to know?"]),
        (["Thank you!", "Thanks a lot.", "Thank you for your help."], ["The user thanks me."], ["You are welcome! Ask me again at any time.", "You are welcome. I am glad that I could help."]),
        (["Goodbye!", "Bye!", "See you tomorrow.", "Good night!"], ["The user says goodbye."], ["Goodbye! Have a nice day.", "Goodbye! See you soon."]),
        (["Who are you?", "What are you?", "What is your name?", "Are you a human?", "Tell me about yourself."], ["The user asks who I am."],
         ["I am a very small language model. I can count, sort and solve simple puzzles, and I make mistakes.",
          "I am a small language model made with r1.c. I know only a little, but I like numbers."]),
        (["What can you do?", "How can you help me?", "What do you know?"], ["The user asks what I can do."],
         ["I can add and multiply small numbers, sort lists, solve simple equations and play the countdown game.",
          "I can solve small problems with numbers and write short English sentences."]),
        (["I am sad today.", "I feel sad.", "I had a bad day."], ["The user is sad. I should be kind."], ["I am sorry to hear that. I hope that tomorrow is a better day.", "I am sorry. Do you want to talk about it?"]),
        (["I am happy today!", "I had a good day."], ["The user is happy."], ["I am happy to hear that!", "That is wonderful. What made your day so good?"]),
        (["Tell me a joke.", "Can you make me laugh?"], ["The user wants a joke."], ["Why was the number six afraid? Because seven ate nine.", "What has hands but cannot clap? A clock."])]


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def capital(s):
    return s[0].upper() + s[1:]


def scene(r):
    """Two or three sentences about an animal or a thing, with what a question may ask of them."""
    if r.random() < 0.6:
        animal, adjective, place, (act, base) = r.choice(ANIMALS), r.choice(ADJECTIVES), r.choice(PLACES), r.choice(ACTIONS)
        text = [f"There is {article(adjective)} {animal} {place}.", f"{r.choice(['It', 'The ' + animal])} {act} there {r.choice(['every day', 'in the morning', 'all day', 'at night', 'after lunch'])}."]
        if r.random() < 0.5:
            text.append(r.choice([f"It likes {r.choice(FOODS)}.", f"Its name is {r.choice(NAMES)}.", f"It does not like the rain.", f"{r.choice(NAMES)} gives it {r.choice(FOODS)}."]))
        ask = r.choice([(f"Where is the {animal}?", f"The {animal} is {place}."), (f"What does the {animal} do?", f"The {animal} {act} there."), (f"Does the {animal} {base} there?", f"Yes, the {animal} {act} there.")])
        return " ".join(text), ask
    (thing, made), color, name, place = r.choice(OBJECTS), r.choice(COLORS), r.choice(NAMES), r.choice([p for p in PLACES if "table" not in p])
    text = [f"{name} has {article(color)} {thing}.", f"The {thing} is made of {made}.", f"It stands {place}." if thing in ("table", "cup", "spoon") else f"It is {r.choice(['new', 'old', 'clean', 'beautiful'])}."]
    ask = r.choice([(f"Who has the {thing}?", f"{name} has the {thing}."), (f"What color is the {thing}?", f"The {thing} is {color}."), (f"What is the {thing} made of?", f"The {thing} is made of {made}.")])
    return " ".join(text), ask


def story(r):
    a, b = r.sample(NAMES, 2)
    weather, place, food, drink, animal = r.choice(WEATHER), r.choice(PLACES), r.choice(FOODS), r.choice(DRINKS), r.choice(ANIMALS)
    parts = [r.choice([f"It is {article(weather)} day.", f"The day is {weather}.", f"Today it is {weather}."]),
             r.choice([f"{a} and {b} are {place}.", f"{a} meets {b} {place}.", f"{a} walks with {b}. They stop {place}."]),
             r.choice([f"They eat {food} and drink {drink}.", f"{a} has some {food}, and {b} has {drink}.", f"{b} is hungry, so they share the {food}."]),
             r.choice([f"Then they see {article(r.choice(ADJECTIVES))} {animal}.", f"{capital(article(animal))} comes to them and looks at the {food}.", f"\"Look, {article(animal)}!\" says {a}."]),
             r.choice(["Everyone is happy.", "In the evening they go home.", f"{b} smiles and says thank you.", "It is a good day.", f"\"See you tomorrow,\" says {b}."])]
    return " ".join(parts[:r.randint(3, 5)])


def text_row(r):
    return {"text": story(r) if r.random() < 0.6 else scene(r)[0]}


def turn(user, think, answer):
    return [{"role": "user", "content": user}, {"role": "assistant", "content": f"<think>\n{think}\n</think>\n\n{answer}"}]


def dialogue(r):
    """One question and its answer, now and then two: the second answer has to follow the second question."""
    if r.random() < 0.15:
        return {"messages": exchange(r)["messages"] + exchange(r)["messages"]}
    return exchange(r)


def exchange(r):
    kind = r.random()
    if kind < 0.3:
        asks, thinks, answers = r.choice(TALK)
        return {"messages": turn(r.choice(asks), r.choice(thinks), r.choice(answers))}
    if kind < 0.55:
        q, a = r.choice(FACTS)
        return {"messages": turn(q, r.choice(["I know this.", "This is a simple fact.", "The question is easy."]), a)}
    if kind < 0.8:
        text, (q, a) = scene(r)
        return {"messages": turn(f"{text} {q}", f"The text says: {a}", a)}
    if kind < 0.9:
        a = r.choice(ANIMALS)
        text = f"The {a} is {r.choice(ADJECTIVES)}. It {r.choice(ACTIONS)[0]} {r.choice(PLACES)}."
        return {"messages": turn(r.choice([f"Write two sentences about {article(a)}.", f"Describe {article(a)}.", f"Tell me about {article(a)}."]), f"I write about {article(a)}.", text)}
    return {"messages": turn(r.choice(["Tell me a short story.", "Write a short story.", "Can you tell me a story?"]), "I write a short story.", story(r))}
